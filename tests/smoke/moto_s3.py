"""moto and boto3: an S3 server on loopback keeps versions, and refuses what IAM does not allow once IAM is on."""

import logging

import boto3
import httpx
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
try:
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    s3 = boto3.client(
        "s3",
        endpoint_url=address,
        region_name="ap-south-1",
        aws_access_key_id="smoke",
        aws_secret_access_key="smoke",
    )
    s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    s3.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="models", Key="latest", Body=b"v1")["VersionId"]
    s3.put_object(Bucket="models", Key="latest", Body=b"v2")
    assert s3.get_object(Bucket="models", Key="latest")["Body"].read() == b"v2"
    assert s3.get_object(Bucket="models", Key="latest", VersionId=first)["Body"].read() == b"v1"
    httpx.post(f"{address}/moto-api/reset-auth", content=b"0").raise_for_status()
    try:
        s3.get_object(Bucket="models", Key="latest")
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error
    else:
        raise AssertionError("an unknown key was let in with IAM switched on")
finally:
    server.stop()
