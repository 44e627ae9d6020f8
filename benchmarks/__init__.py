"""What we claim, measured; each beside a peer in one run."""

import src as src  # before torch: it says how torch's threads wait
