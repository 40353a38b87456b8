"""The npm tarball of the JavaScript client: what is in it, and that its types serve a TypeScript program."""

import json
import shutil
from pathlib import Path

import pytest

from tests.packages import ROOT, node, packages

pytestmark = pytest.mark.shell

CONSUMER = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "target": "ES2022",
        "module": "ES2022",
        "moduleResolution": "bundler",
        "lib": ["ES2022", "DOM"],
        "types": ["node"],  # those of @azure/communication-common want it
        "skipLibCheck": False,
    },
    "files": ["consumer.ts"],
}


def test_a_typescript_program_uses_the_packed_client(tmp_path: Path) -> None:
    source, project = tmp_path / "web", tmp_path / "project"
    shutil.copytree(ROOT / "signaling" / "web", source)
    [packed] = json.loads(node("npm", "pack", "--json", "--loglevel=error", cwd=source))
    files = {file["path"] for file in packed["files"]}
    assert {"package.json", "README.md", "callnode.js", "phone.js", "types/callnode.d.ts"} <= files
    assert {path.name for path in source.glob("*.js")} <= files
    assert not any(path.startswith(("page/", "types/page/")) or path == "index.html" for path in files)
    modules = project / "node_modules"
    modules.mkdir(parents=True)
    node("tar", "-xzf", source / packed["filename"], "-C", modules)
    (modules / "package").rename(modules / "callnode")
    for name in ("@azure", "@types"):
        (modules / name).symlink_to(packages() / "node_modules" / name)
    shutil.copy(ROOT / "tests" / "web" / "consumer.ts", project)
    (project / "tsconfig.json").write_text(json.dumps(CONSUMER))
    node(packages() / "node_modules" / ".bin" / "tsc", "-p", project)
