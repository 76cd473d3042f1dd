"""The reader of Terraform's language in the lab three_tiers_as_code says what terraform says, or refuses."""

from __future__ import annotations

import base64
import gzip
import importlib
import json
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LAB = Path(__file__).resolve().parent.parent / "stage2_cloud" / "07_three_tiers_as_code"
OWN = (
    "hcl_values", "hcl_pieces", "hcl_files", "hcl_blocks", "hcl_collections", "hcl_operators", "hcl_scope",
    "hcl_templates", "hcl_functions", "hcl_expressions", "terraform_types", "terraform_blocks",
    "terraform", "terraform_plan", "graph", "environments",
    "provider_types", "hidden",
)  # fmt: skip

LOCALS = """
locals {
  name  = "fraud"
  zones = ["a", "b"]
  lists = [{ of = [1, 2] }, { of = [3, 4] }]
  sizes = { small = 1, large = 4 }
  rules = [{ port = 443, open = true }, { port = 22, open = false }]
  text  = <<-EOT
    one ${local.name}
      two "quoted" \\ and $${no}
  EOT
  ports = <<-EOT
    %{ for r in local.rules ~}
    port ${r.port}
    %{ endfor ~}
    end
  EOT
  odd = <<-EOT
    a
      %{~ if true ~}
      b
      %{~ endif ~}
    c
  EOT
  left = <<EOT
    a
  %{ if true ~}
      b

  %{ endif ~}

    c ${~ "x" ~}   d
EOT
  deep = <<-EOT
    a

      b ${1 +
    2} c
    \td
  EOT
}
"""
# Expression → its value. Sources: https://developer.hashicorp.com/terraform/language/expressions, …/functions
CASES: list[tuple[str, Any]] = [
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("7 / 2", 3.5),
    ("-7 % 4", -3),
    ("10 - 2 - 3", 5),
    ("!false && 2 >= 2 || false", True),
    ('1 == "1"', False),
    ("null == null", True),
    ('"${local.name}-${1 + 1}"', "fraud-2"),
    ('"a\\tb\\u0041"', "a\tbA"),
    ('"$${x} %%{y}"', "${x} %{y}"),
    ('"%{ if 1 > 2 }yes%{ else }no%{ endif }"', "no"),
    ('"%{ for z in local.zones }${z},%{ endfor }"', "a,b,"),
    ("local.text", 'one fraud\n  two "quoted" \\ and ${no}\n'),
    ("local.sizes.large", 4),
    ('local.sizes["small"]', 1),
    ("local.zones[1]", "b"),
    ("local.rules[*].port", [443, 22]),
    ("local.rules.0.port", 443),
    ("[for r in local.rules : r.port if r.open]", [443]),
    ("[for i, z in local.zones : [i, z]]", [[0, "a"], [1, "b"]]),
    ("{ for k, v in local.sizes : upper(k) => v * 2 }", {"LARGE": 8, "SMALL": 2}),
    ('{ for z in ["x", "y", "xy"] : length(z) => z... }', {"1": ["x", "y"], "2": ["xy"]}),
    ('{ (local.name) = 1, "two" : 2, three = 3 }', {"fraud": 1, "three": 3, "two": 2}),
    ("length(local.zones) > 1 ? local.name : null", "fraud"),
    ('cidrsubnet("10.0.0.0/16", 4, 9)', "10.0.144.0/20"),
    ('cidrsubnet("fd00::/56", 8, 2)', "fd00:0:0:2::/64"),
    (
        'cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)',
        ["10.1.0.0/20", "10.1.16.0/20", "10.1.32.0/24", "10.1.48.0/20"],
    ),
    ('cidrhost("10.0.8.0/24", 5)', "10.0.8.5"),
    ("merge(local.sizes, { large = 9 })", {"large": 9, "small": 1}),
    ("keys(local.sizes)", ["large", "small"]),
    ("values(local.sizes)", [4, 1]),
    ('lookup(local.sizes, "huge", 0)', 0),
    ("element(local.zones, 3)", "b"),
    ('index(local.zones, "b")', 1),
    ("concat(local.zones, [local.name])", ["a", "b", "fraud"]),
    ("flatten([[1, [2]], [3]])", [1, 2, 3]),
    ('distinct(["a", "b", "a"])', ["a", "b"]),
    ('toset(["b", "a", "b"])', ["a", "b"]),
    ('sort(["b", "a"])', ["a", "b"]),
    ('setproduct(["x", "y"], local.zones)', [["x", "a"], ["x", "b"], ["y", "a"], ["y", "b"]]),
    ('zipmap(["a", "b"], [1, 2])', {"a": 1, "b": 2}),
    ("slice([1, 2, 3], 1, 3)", [2, 3]),
    ("range(3)", [0, 1, 2]),
    ("max(1, [5, 2]...)", 5),
    ('join("-", local.zones)', "a-b"),
    ('split(",", "a,b")', ["a", "b"]),
    ('format("%s-%02d%%", "x", 7)', "x-07%"),
    ('replace("a-b-c", "-", "_")', "a_b_c"),
    ('substr("fraud", 1, 3)', "rau"),
    ('trimsuffix("a.tf", ".tf")', "a"),
    ('coalesce(null, "", "x")', "x"),
    ("try(local.sizes.huge, 7)", 7),
    ("can(local.sizes.huge)", False),
    ('can(regex("^[a-z]+$", "fraud1"))', False),
    ('regex("[0-9]+", "ab12")', "12"),
    ("one([5])", 5),
    ('contains(local.zones, "a")', True),
    ('tonumber("4") + 1', 5),
    ("tostring(2.50)", "2.5"),
    ('jsondecode("{\\"a\\": [1]}").a[0]', 1),
    ('sha256("x")', "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
    ("anytrue([false, true])", True),
    ('startswith("prod-1", "prod")', True),
    ("local.ports", "    port 443\n    port 22\n    end\n"),
    ("local.odd", "    a\n      b\n    c\n"),
    ("local.left", "    a\n        b\n\n  \n    cxd\n"),
    ("local.deep", "a\n\n  b 3 c\n\td\n"),
    ('"a  %{~ if true ~}  b  %{~ endif ~}  c"', "abc"),
    ('"%{ for z in local.zones ~}  ${z} %{~ endfor }"', "ab"),
    ("local.rules.*.port[1]", 22),
    ("local.lists.*.of[1]", [3, 4]),
    ("local.lists.*.of[1][0]", 3),
    ("local.lists.*.of.1", [2, 4]),
    ("local.lists[*].of[1]", [2, 4]),
    ('tobool("1")', True),
    ('regexall("[a-z]+", "ab 12 cd")', ["ab", "cd"]),
    ('regexall("([a-z])([0-9])", "a1 b2")', [["a", "1"], ["b", "2"]]),
    ('regexall("x", "a1")', []),
    ('chomp("a\\n\\n")', "a"),
    ('indent(2, "a\\nb")', "a\n  b"),
    ('base64decode("w6k=")', "é"),
    ('parseint("ff", 16)', 255),
    ('urlencode("a b/é~*")', "a+b%2F%C3%A9~%2A"),
]
WRONG = [
    'cidrsubnet("10.0.0.0/30", 4, 0)', "local.zones[2]", "local.sizes.huge", '"a${null}"', "1 + true",
    '{ for z in ["a", "a"] : z => 1 }', 'index(["a"], "b")', 'tonumber("x")',
]  # fmt: skip
REFUSED = ["timestamp()", 'fileset(".", "*")', "provider::aws::arn_parse(1)"]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    monkeypatch.syspath_prepend(str(LAB / "checks"))
    yield {name: importlib.import_module(name) for name in OWN}
    for name in OWN:
        sys.modules.pop(name, None)


def value(lab: dict[str, ModuleType], expression: str) -> Any:
    text = LOCALS + f"output {chr(34)}x{chr(34)} {{\n  value = {expression}\n}}\n"
    found, _ = lab["terraform_plan"].plan(lab["terraform_plan"].Files({"main.tf": text.encode()}), {})
    return found.outputs["x"][0]


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_evaluates(lab: dict[str, ModuleType], expression: str, expected: Any) -> None:
    got = value(lab, expression)
    assert json.loads(json.dumps(got)) == expected


@pytest.mark.parametrize("expression", WRONG)
def test_finds_what_terraform_refuses(lab: dict[str, ModuleType], expression: str) -> None:
    with pytest.raises(lab["hcl_values"].Wrong):
        value(lab, expression)


@pytest.mark.parametrize("expression", REFUSED)
def test_refuses_what_it_does_not_know(lab: dict[str, ModuleType], expression: str) -> None:
    with pytest.raises(lab["hcl_values"].CannotEvaluate):
        value(lab, expression)


def test_a_syntax_error_has_its_place(lab: dict[str, ModuleType]) -> None:
    with pytest.raises(lab["hcl_files"].NotHcl, match=r"main\.tf, line 2"):
        lab["terraform_plan"].plan(lab["terraform_plan"].Files({"main.tf": b"locals {\n  a = \n}\n"}), {})


def test_what_is_not_known_yet_decides_nothing(lab: dict[str, ModuleType]) -> None:
    text = b'resource "aws_vpc" "a" {}\noutput "x" {\n  value = aws_vpc.a.id == "b" ? 1 : 2\n}\n'
    with pytest.raises(lab["hcl_values"].NotYetKnown):
        lab["terraform_plan"].plan(lab["terraform_plan"].Files({"main.tf": text}), {})


def test_what_it_cannot_do_has_its_place(lab: dict[str, ModuleType]) -> None:
    text = b'locals {}\n\nresource "aws_vpc" "a" {\n  cidr_block = timestamp()\n}\n'
    with pytest.raises(lab["hcl_values"].CannotEvaluate) as caught:
        lab["terraform_plan"].plan(lab["terraform_plan"].Files({"main.tf": text}), {})
    assert caught.value.place == "main.tf:3"


def test_values_are_what_the_provider_makes_of_them(lab: dict[str, ModuleType]) -> None:
    said = {
        "multi_az": "true",
        "port": "5432",
        "identifier": "7",
        "ingress": [{"self": "1", "to_port": "443"}],
    }
    got = lab["provider_types"].converted("aws_db_instance", said, "a")
    assert got == {
        "multi_az": True,
        "port": 5432,
        "identifier": "7",
        "ingress": [{"self": True, "to_port": 443}],
    }
    unknown = {"multi_az": lab["hcl_values"].mark("aws_vpc.a", "id")}
    assert lab["provider_types"].converted("aws_db_instance", unknown, "a") == unknown
    for wrong in ({"multi_az": "yes"}, {"port": "https"}):
        with pytest.raises(lab["hcl_values"].Wrong):
            lab["provider_types"].converted("aws_db_instance", wrong, "a")


SECRET = b"redis://fraud:pw-0a1b2c3d4e5f@features:6379/0"
ENCODED = [
    SECRET.decode(),
    base64.b64encode(SECRET).decode(),
    "echo x" + base64.b64encode(b"x" + SECRET).decode() + " | base64 -d",
    base64.urlsafe_b64encode(b"??>" + SECRET).decode(),
    base64.encodebytes(b"URL=" + SECRET * 2).decode(),
    base64.b64encode(base64.b64encode(SECRET)).decode(),
    base64.b64encode(gzip.compress(SECRET, mtime=0)).decode(),
    SECRET.hex(),
    urllib.parse.quote(SECRET, safe=""),
]


@pytest.mark.parametrize("text", ENCODED)
def test_a_secret_is_found_in_every_encoding(lab: dict[str, ModuleType], text: str) -> None:
    assert lab["hidden"].holds(text, ("pw-0a1b2c3d4e5f",))
    assert not lab["hidden"].holds(text, ("pw-0a1b2c3d4e50",))


@pytest.mark.skipif(shutil.which("terraform") is None, reason="no terraform on this machine")
def test_terraform_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(LOCALS)
    asked = f"jsonencode([{', '.join(expression for expression, _ in CASES)}])\n"
    done = subprocess.run(
        ["terraform", "console"], input=asked, text=True, capture_output=True, cwd=tmp_path, timeout=300
    )
    assert done.stdout, done.stderr
    said = json.loads(json.loads(done.stdout.splitlines()[-1]))
    assert said == [expected for _, expected in CASES], done.stderr
