#!/usr/bin/env python3
"""Fine-tune BERT-CNN on the chemical-disease relations of BC5CDR, and score it.

    python3 run_BC5CDR.py check     only checks the inputs, and says what training needs in memory, disk and time
    python3 run_BC5CDR.py train     BioC XML -> examples -> features -> fine-tuning; continues a run that was cut off
    python3 run_BC5CDR.py test      the best model on the test abstracts -> predictions and scores in result/BC5CDR/
    python3 run_BC5CDR.py export --out DIR          the best model for other programs, as a SavedModel
    python3 run_BC5CDR.py compare RESULT_DIR ...    runs side by side

The first three take --corpus, --bert, --result, --recipe, --set KEY=VALUE and --seed; see --help. docs/bc5cdr.md says where the
corpus is had, and what --set negatives=all is for.
"""
from commands.main import main
from support.main import run_main
from tasks.bc5cdr import BC5CDR

if __name__ == "__main__":
    run_main(lambda: main(task=BC5CDR))
