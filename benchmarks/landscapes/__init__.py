"""What searches are measured on: spaces whose points have learning curves that are looked up instead of trained."""
