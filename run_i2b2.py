#!/usr/bin/env python3
"""Fine-tune BERT-CNN on the temporal relations of i2b2 2012, and score it.

    python3 run_i2b2.py check     only checks the inputs, and says what training needs in memory, disk and time
    python3 run_i2b2.py train     XML -> examples -> features -> fine-tuning; continues a run that was cut off
    python3 run_i2b2.py test      the best model on the test documents -> predictions and scores in result/
    python3 run_i2b2.py demo      all of it on a synthetic sample corpus with a toy BERT; needs no download
    python3 run_i2b2.py predict NOTE.xml ... --out DIR    types for the TLINKs of notes that nobody has labelled
    python3 run_i2b2.py export --out DIR          the best model for other programs, as a SavedModel
    python3 run_i2b2.py compare RESULT_DIR ...    runs side by side

The first four take --corpus, --bert, --result, --recipe, --set KEY=VALUE and --seed; see --help.
"""
from commands.main import main
from support.main import run_main

if __name__ == "__main__":
    run_main(main)
