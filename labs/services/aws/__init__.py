"""What stands between a client and moto: who asks, what for, and whether IAM lets them.

moto keeps the state of an AWS account, but judges requests too loosely (docs/services.md). Here its own judgement is
switched off, and `Guard` decides before it is asked:

    request.py     an HTTP request as AWS clients send it
    signatures.py  who signed it (Signature Version 4)
    callers.py     what moto knows of that user or role: policies, tags, boundary
    calls.py       which action on which resources it is, for each service; s3_calls.py for S3
    tokens.py      a stand-in for an identity provider, and its tokens
    guard.py       puts them together, with labs.services.iam as the judge
    answers.py     refusals, in the words of each protocol

For speed alone: descriptions.py has botocore's descriptions of services read before processes are forked.
"""
