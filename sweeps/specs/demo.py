"""Which learning rate and loss suit a small U-Net on your photographs? A first look in minutes, by `make demo`.

The network is tiny and sees the photographs at 256 x 256 pixels, so that a CPU can train it: it shows how a sweep goes
and what its report says. For use in the field go on with a larger network at a size at which cracks are wide enough,
such as swin_unet_lr or unet_encoder on a graphics card.
"""

from dataclasses import replace

from sweeps.specs.quickstart import SPEC as QUICKSTART

SPEC = replace(
    QUICKSTART,
    fixed=("model.encoder=tiny", "model.decoder=tiny", "data.image_size=[256,256]"),
    synthetic_without_data=False,
)
