"""The demo: random goals reached from one camera, judged afterwards against the truth."""
