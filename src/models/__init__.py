"""The networks: any architecture of segmentation-models-pytorch, and Swin-UNet."""
