"""The manual's pages."""

import pathlib

ROOT = pathlib.Path(__file__).parents[2]
PAGES = (
    "README.md",
    "SECURITY.md",
    "templates/README.md",
    "templates/WAVES.md",
    "templates/OPERATING.md",
    "templates/NOTICES.md",
    "templates/PREVENTION.md",
    "templates/HARDENING.md",
    "templates/PARAMETERS.md",
    "templates/RUNBOOKS.md",
    "templates/AUTOMATION.md",
    "templates/ROTATION.md",
    "templates/INFRASTRUCTURE-AS-CODE.md",
    "templates/AUDIT.md",
    "rule/README.md",
    "rule/COST.md",
    "rule/REFERENCE.md",
    "rule/PEERS.md",
    "rule/GLOSSARY.md",
    "rule/TESTED.md",
    "rule/DESIGN.md",
    "rule/ADDING.md",
    "rule/cli/README.md",
    "rule/cli/EXEMPTIONS.md",
    "rule/cli/CHECKS.md",
    "rule/cli/EVIDENCE.md",
    "rule/cli/REFERENCE.md",
    "CONTRIBUTING.md",
    "tests/aws/README.md",
)
MANUAL = {page: (ROOT / page).read_text() for page in PAGES}

# Looked up, not read.
REFERENCES = ("templates/PARAMETERS.md", "rule/REFERENCE.md", "rule/GLOSSARY.md", "rule/cli/REFERENCE.md")
# For people who change the product, compare it, or try it out on AWS for us.
NOT_THE_MANUAL = (
    "CONTRIBUTING.md",
    "rule/ADDING.md",
    "rule/DESIGN.md",
    "rule/PEERS.md",
    "rule/TESTED.md",
    "tests/aws/README.md",
)
