"""airflow-kubler: locks Apache Airflow and its plugins, builds reproducible images from the locks.

An image is a pure function of its lock. The words of this code:

- stack: what a team asks for; base: the operating system and Python under it; lock: what the stack got, by hash.
- project, distribution, wheel, requirement (wanted), candidate (pinned), tag: as Python packaging has them.
- descriptor, digest (of compressed bytes), diff_id (of the tar), config, manifest, index, layout: as OCI has them.
- segment: the tar bytes of one distribution or deb, compressed on their own; layers are concatenations of segments.
- plan: which distribution goes into which layer, in which order.
- ledger: what happened, append-only; channel: a name that stands for an image, and moves by rules.

Map: stack/ what is asked -> resolve/, debian/ what is got -> lock/ written down -> store/ files by hash ->
wheel/, debian/ intake -> image/ segments, layers, images in the nouns of oci/ -> run/ a container, registry/ others.
ledger/ what happened, policy/ when channels may move, migrations/ what that means for Airflow's database.
attest/ what is said of an image and signed, and whose keys hold.
sbom/ what is in an image, licence/ under which terms.
deploy/ has the forms that deploy tools read, and looks for images in manifests.
ledger/ what happened, history/ what it tells of images, audit/ what auditors get of it, picture/ how that looks.
cluster/ what runs, drift/ how it differs from what the ledger says.
nightly/ what a night is and what its report says, notify/ who else is told.
usecase/ has one verb a function; cli/ one file a verb; wiring/ alone constructs what touches the outside.
airflow/ is imported by Airflow alone: nights as a DAG.
"""

__version__ = "0.1.0"
