"""A voicemail service in a process of its own, to be killed or to run out of disk; prints `ready`.

Arguments: the data folder, and the largest file in bytes that it may write, if there is one.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path

from node import CommunicationTokenCredential
from node.voicemail import VoicemailService


async def main(data: Path) -> None:
    credential = CommunicationTokenCredential(os.environ["CALLNODE_TOKEN"])
    await VoicemailService(credential, data).serve(lambda: print("ready", flush=True))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    asyncio.run(main(Path(sys.argv[1])))
