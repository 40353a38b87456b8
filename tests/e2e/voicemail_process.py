"""A voicemail service in a process of its own, to be killed or to run out of disk; prints `ready`.

Arguments: the data folder, and the largest file in bytes that it may write, if there is one. Its greeting is
cut short after 1 s.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path

from node import CommunicationTokenCredential
from node.voicemail import Limits, VoicemailService
from signaling.config import storage_keys


async def main(data: Path) -> None:
    credential = CommunicationTokenCredential(os.environ["CALLNODE_TOKEN"])
    service = VoicemailService(credential, data, limits=Limits(greeting=1.0), sealing=storage_keys(None))
    await service.serve(lambda: print("ready", flush=True))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    asyncio.run(main(Path(sys.argv[1])))
