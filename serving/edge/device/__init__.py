"""What runs on a device: fetches signed bundles, and answers with the newest good one.

:mod:`update` fetches, tries and swaps; :class:`model.DeviceModel` answers, and loads no more than
that takes. Neither needs TensorFlow or most of Headrace's dependencies; docs/how-to/edge.md lists
what a device installs.
"""
