"""What both engines share: their protocol, inference, custom losses, the step-by-step run."""
