"""Feast's offline store for files: point-in-time joins that keep every label row, in order.

``feature_store.yaml`` names it::

    offline_store:
      type: headrace.feature_store.offline.store.AsofOfflineStore
"""

from headrace.feature_store.offline.guard import refuse_lossy

__all__ = ["refuse_lossy"]
