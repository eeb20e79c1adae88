"""From a configuration and a selection to a lab that can run: kernels, images, accelerator, the run's folder."""
