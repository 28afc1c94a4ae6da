"""schemas/ and agents/ stand on their own, and modules stay small.

Who may import whom is checked by `lint-imports` in `make lint`, from the source alone. Here the modules are really
imported, where no broker, no Redis and no web can be: that also finds what is imported by name at run time.
"""

import ast
import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
MODULES = [file for layer in ("schemas", "agents", "streams") for file in (ROOT / layer).rglob("*.py")]

IMPORT_ALL = """
import pkgutil, sys
from importlib import import_module

REFUSED = {"faust", "mode", "aiokafka", "redis", "aiohttp", "streams"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ImportError(f"{name} is not for schemas and agents")

sys.meta_path.insert(0, Refuse())
for layer in ("schemas", "agents"):
    for module in pkgutil.walk_packages(import_module(layer).__path__, f"{layer}."):
        import_module(module.name)
        print(module.name)
"""


def test_schemas_and_agents_can_be_imported_where_no_kafka_redis_or_web_is():
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    imported = set(done.stdout.split())
    assert imported >= {"schemas.codec", "agents.classify.agent", "agents.suppress.agent", "agents.dead_letters"}


def test_a_module_of_over_300_lines_says_at_its_top_why_it_has_over_300_lines():
    long = [file for file in MODULES if len(file.read_text("utf-8").splitlines()) > 300]
    unexplained = [
        str(file.relative_to(ROOT))
        for file in long
        if "300 lines" not in (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "")
    ]
    assert unexplained == []


def test_most_modules_have_less_than_150_lines():
    assert median(len(file.read_text("utf-8").splitlines()) for file in MODULES) < 150


def test_every_module_says_what_it_is_for():
    silent = [str(file.relative_to(ROOT)) for file in MODULES if not ast.get_docstring(ast.parse(file.read_bytes()))]
    assert silent == []
