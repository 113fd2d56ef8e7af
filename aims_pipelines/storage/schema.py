"""The one set of tables that a database of ours holds.

A storage module declares its tables on ``metadata`` when it is imported; ``open_database`` creates those that
are declared and not there yet.
"""

import sqlalchemy as sa

#: The name by which a database says whose it is.
PRODUCT = "aims-pipelines"
#: Raised when tables change in a way that an older version of this package could not read.
SCHEMA_VERSION = 1

metadata = sa.MetaData()

about = sa.Table(
    "aims_schema",
    metadata,
    sa.Column("product", sa.String(40), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
