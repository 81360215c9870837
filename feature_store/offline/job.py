"""What retrieval returns: a table that is made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
from feast import OnDemandFeatureView
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.saved_dataset import SavedDatasetStorage

from headrace.feature_store.offline.sources import locate
from headrace.feature_store.offline.writes import save

if TYPE_CHECKING:
    from feast.saved_dataset import ValidationReference


class AsofRetrievalJob(RetrievalJob):
    """A retrieval; its result has the columns that were asked for and no others."""

    def __init__(
        self,
        retrieve: Callable[[], pa.Table],
        *,
        repo: Path | str | None,
        columns: Sequence[str] | None = None,
        on_demand: Sequence[OnDemandFeatureView] = (),
        full_feature_names: bool = False,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        """Keeps what is needed to retrieve.

        Args:
            retrieve: Makes the table, without what on-demand views add.
            repo: The folder that relative paths are relative to.
            columns: The result's columns in order; None for all.
            on_demand: Views that compute columns from the table.
            full_feature_names: Whether features are named ``view__feature``.
            metadata: What Feast wants to know of a retrieval that it saves.
        """
        super().__init__()
        self._retrieve = retrieve
        self._repo = repo
        self._columns = columns
        self._on_demand = list(on_demand)
        self._full_feature_names = full_feature_names
        self._metadata = metadata

    def to_arrow(
        self,
        validation_reference: ValidationReference | None = None,
        timeout: int | None = None,
    ) -> pa.Table:
        """The result: the entity frame's columns, then the features in the order asked for."""
        table = super().to_arrow(validation_reference=validation_reference, timeout=timeout)
        return table if self._columns is None else table.select(list(self._columns))

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        """The joined table with what on-demand views compute from the columns they declare."""
        table = self._retrieve()
        for view in self._on_demand:
            declared = [name for name in _declared(view) if name in table.column_names]
            result = view.transform_arrow(table.select(declared), self._full_feature_names)
            for name in result.column_names:
                # A view may hand its inputs back.
                if name not in table.column_names:
                    table = table.append_column(name, result[name])
        return table

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._to_arrow_internal(timeout=timeout).to_pandas()
        return frame

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named ``view__feature``."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """None that Feast must apply.

        It would hand a view of mode `python` the whole table as lists, which for a year of flights
        takes 25 times as long as computing. What views compute is in the table already.
        """
        return []

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for."""
        return self._metadata

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool = False,
        timeout: int | None = None,
    ) -> None:
        """Writes the result, with what on-demand views add, whole or not at all."""
        place = locate(storage.to_data_source(), self._repo, "The saved dataset")
        save(place, self.to_arrow(timeout=timeout), overwrite=allow_overwrite)


def _declared(view: OnDemandFeatureView) -> list[str]:
    """The columns that an on-demand view reads, by both of the names that they may have."""
    names = []
    for source in view.source_feature_view_projections.values():
        for feature in source.features:
            names += [feature.name, f"{source.name_to_use()}__{feature.name}"]
    for request in view.source_request_sources.values():
        names += [field.name for field in request.schema]
    return list(dict.fromkeys(names))
