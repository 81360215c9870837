"""``headrace edge``: bundles for devices: keys, checks, updates over the air, predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.predict import JsonOption, RowsArgument, read_rows, show

BundleArgument = Annotated[
    Path,
    typer.Argument(
        help="The bundle: a folder with manifest.json. On a device, FOLDER/current.",
        show_default=False,
    ),
]
KeyOption = Annotated[
    Path,
    typer.Option(
        "--public-key",
        envvar="HEADRACE_EDGE_PUBLIC_KEY",
        help="PEM file of the public keys to trust, one or more.",
        show_default=False,
    ),
]
VariantOption = Annotated[
    str | None,
    typer.Option(help="Form of the model, such as float32.", show_default="the version's default"),
]

app = typer.Typer(help="Models on devices: signed bundles, over the air.", no_args_is_help=True)


@app.command()
def keygen(
    folder: Annotated[Path, typer.Argument(help="Where to write the pair.", show_default=False)],
) -> None:
    """Make a pair of Ed25519 keys: the private one signs, devices get the public one."""
    from headrace.serving.edge.bundle import generate_keys
    from headrace.serving.edge.bundle.keys import VARIABLE

    private, public = generate_keys(folder)
    typer.echo(f"{private}  keep it secret; name it in {VARIABLE} where models are pushed")
    typer.echo(f"{public}  put it on every device")


@app.command()
def verify(bundle: BundleArgument, public_key: KeyOption) -> None:
    """Check the signature of a bundle, and every file in it."""
    from headrace.serving.edge.bundle import check_bundle, read_public_keys

    manifest = check_bundle(bundle, read_public_keys(public_key))
    size = sum(file.bytes for file in manifest.files.values())
    typer.echo(
        f"{manifest.model} version {manifest.version}: signed, and all {len(manifest.files)} "
        f"files are whole ({size:,} bytes)"
    )
    for name, variant in sorted(manifest.variants.items()):
        size = manifest.files[variant.file].bytes
        default = "  (default)" if name == manifest.default else ""
        typer.echo(f"  {name:<14} {size:>10,} bytes{default}")


@app.command()
def update(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="URL",
            help="The folder edge beside the pushed model: http://, https:// or file://.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The device's folder.", show_default=False)
    ],
    public_key: KeyOption,
    version: Annotated[
        int | None,
        typer.Option(
            help="Take this version, even if it is older or was rejected here.",
            min=1,
            show_default="the newest",
        ),
    ] = None,
    variant: VariantOption = None,
) -> None:
    """Fetch the newest version, try it, and make it the active one.

    Interrupted? The same command goes on where it stopped. Whatever goes wrong, the version that
    was active stays so, and the exit code is 1.
    """
    from headrace.serving.edge.bundle import read_public_keys
    from headrace.serving.edge.device.update import update as update_device

    keys = read_public_keys(public_key)
    done = update_device(source, to, keys, version=version, variant=variant)
    if done.version == done.before and not done.transferred:
        typer.echo(f"Version {done.version} is active already.")
        return
    before = f", after version {done.before}" if done.before else ""
    typer.echo(
        f"Version {done.version} is active{before}; {done.transferred:,} bytes were transferred."
    )


@app.command()
def header(
    bundle: BundleArgument,
    public_key: KeyOption,
    variant: VariantOption = None,
    to: Annotated[Path, typer.Option(metavar="FILE", help="What to write.")] = Path("model_data.h"),
    limit: Annotated[int, typer.Option(help="Largest model, in KiB.", min=1)] = 256,
) -> None:
    """Write a model as a C header for a microcontroller, after checking the bundle."""
    from headrace.serving.edge.bundle import check_bundle, read_public_keys
    from headrace.serving.edge.microcontroller.header import write_header

    manifest = check_bundle(bundle, read_public_keys(public_key))
    name = variant or manifest.default
    size = write_header(bundle, manifest, name, to, limit=limit * 1024)
    typer.echo(f"{to}: {manifest.model} version {manifest.version}, {name}, {size:,} bytes")


@app.command()
def predict(
    bundle: BundleArgument,
    rows: RowsArgument,
    public_key: KeyOption,
    variant: VariantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a bundle's model for rows of raw features, after checking the bundle."""
    import numpy as np

    from headrace.serving.edge.bundle import check_bundle, read_public_keys
    from headrace.serving.edge.device.conditions import require_runtime
    from headrace.serving.edge.device.runtime import explained, load

    manifest = check_bundle(bundle, read_public_keys(public_key))
    name = variant or manifest.default
    require_runtime(manifest, name)
    asked = read_rows(rows)
    with explained():
        model = load(bundle, name)
        answers = [model.predict(row) for row in asked]
    shown = [{key: np.asarray(value).tolist() for key, value in row.items()} for row in answers]
    document = {
        "model": manifest.model,
        "version": manifest.version,
        "variant": name,
        "predictions": shown,
    }
    show(manifest.model, manifest.version, document if as_json else None, shown)
