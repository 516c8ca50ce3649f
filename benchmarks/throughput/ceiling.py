"""What the provider can do at most, so that one sees that nobody waits for it."""

import subprocess

from peers import Peers
from rig import CLIENT_CORE, SCRIPTS, Provider, pinned

FIRST = "/v1/sora/generations/00000000-0000-4000-8000-000000000000/"
PATHS = {
    "POST": ("/v1/sora/generate", "--document", '{"prompt":"a kite"}'),
    "GET of one": (FIRST,),
    "GET of a hundred": ("/v1/sora/generations?limit=100&offset=0", "--requests", "4000"),
}


def print_ceiling(peers: Peers) -> None:
    """Print the requests that it answers in a second to a trivial raw client."""
    with Provider(peers) as provider:
        said = []
        for name, words in PATHS.items():
            command = [str(peers.python), str(SCRIPTS / "ceiling.py"), provider.url, *words]
            done = subprocess.run(
                pinned(command, CLIENT_CORE), capture_output=True, text=True, check=True
            )
            said.append(f"{name} {float(done.stdout):,.0f}")
    print(f"the provider's own ceiling, requests/s: {', '.join(said)}")
