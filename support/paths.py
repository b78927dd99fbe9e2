"""Where everything is read and written: every path of the project is computed here."""
import hashlib
import os
import re

from support.errors import InputError

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

DEFAULT_CORPUS = os.path.join(PROJECT, "corpus", "i2b2")
SAMPLE_CORPUS = os.path.join(PROJECT, "corpus", "sample")
# Made by `demo` for the sample corpus.
SAMPLE_BERT = os.path.join(PROJECT, "pretrained bert model", "sample")
DEFAULT_RESULT = os.path.join(PROJECT, "result")
BC5CDR_RESULT = os.path.join(DEFAULT_RESULT, "BC5CDR")
BERT_NAME = "uncased_L-12_H-768_A-12"
DEFAULT_BERT = os.path.join(PROJECT, "pretrained bert model", BERT_NAME)
# Upstream's spelling of the folder; people who come from there have their BERT in it.
UPSTREAM_BERT = os.path.join(PROJECT, "pretrained_bert_model", BERT_NAME)

# The folders of a corpus, named as its archives unpack.
TRAIN_XML = "2012-07-15.original-annotation.release"
TEST_XML = os.path.join("ground_truth", "merged_xml")
# The test documents by the setting test_gold: the same notes, with three types of TLINK or with eight.
TEST_GOLD = {"merged": TEST_XML, "unmerged": os.path.join("ground_truth", "unmerged_xml")}
E3C_RECORD = "E3C.json"  # tells a corpus folder that data_process_E3C.py wrote from any other


def default_bert():
    """The BERT folder used without --bert: ours, or the one of upstream's spelling where only that exists."""
    if not os.path.isdir(DEFAULT_BERT) and os.path.isdir(UPSTREAM_BERT):
        return UPSTREAM_BERT
    return DEFAULT_BERT


class CorpusFolder:
    """A corpus in the i2b2 2012 layout. Everything written here holds text of notes or is made from it.

    test_gold : one of TEST_GOLD, which test documents are read.
    """

    def __init__(self, root, test_gold="merged"):
        self.root = absolute(root)
        self.train_xml = os.path.join(self.root, TRAIN_XML)
        self.test_gold = test_gold
        self.all_test_xml = {gold: os.path.join(self.root, folder) for gold, folder in TEST_GOLD.items()}
        self.test_xml = self.all_test_xml[test_gold]
        self.train_tsv = os.path.join(self.root, "train.txt")
        self.test_tsv = os.path.join(self.root, "test.txt")
        self.features = os.path.join(self.root, "features")

    def outputs(self, result):
        """The folders that commands make in this one, for a run in a ResultFolder."""
        documents = self.system_xml(result)
        return [self.features, os.path.dirname(documents), documents]

    def system_xml(self, result):
        """Folder for a run's predictions as whole documents, whose text has no place in the result folder.

        It is named as the result folder and, as others may have that name, too, by where that is.
        """
        names = [os.path.basename(result.root)]
        if names[0].startswith("seed-"):
            names.insert(0, os.path.basename(os.path.dirname(result.root)))
        place = hashlib.sha256(os.fsencode(os.path.realpath(result.root))).hexdigest()[:8]
        return os.path.join(self.root, "system_xml", "-".join(names + [place]))


class BC5CDRFolder:
    """The BC5CDR corpus: its three files in the folder itself, or where the archive CDR_Data.zip puts them."""

    DEFAULT = os.path.join(PROJECT, "corpus", "BC5CDR")
    UNPACKED = os.path.join("CDR_Data", "CDR.Corpus.v010516")

    def __init__(self, root):
        self.root = absolute(root)
        self.train_xml = self._xml("CDR_TrainingSet.BioC.xml")
        self.dev_xml = self._xml("CDR_DevelopmentSet.BioC.xml")
        self.test_xml = self._xml("CDR_TestSet.BioC.xml")
        self.train_tsv = os.path.join(self.root, "train.txt")
        self.dev_tsv = os.path.join(self.root, "dev.txt")
        self.test_tsv = os.path.join(self.root, "test.txt")
        self.features = os.path.join(self.root, "features")

    def outputs(self, result):
        """The folders that commands make in this one, for a run in a ResultFolder."""
        return [self.features]

    def _xml(self, name):
        here, unpacked = os.path.join(self.root, name), os.path.join(self.root, self.UNPACKED, name)
        return unpacked if os.path.exists(unpacked) and not os.path.exists(here) else here


def absolute(root):
    """The absolute path of a folder; InputError for an empty name, which would mean the current folder."""
    root = os.fspath(root)
    if not root:
        raise InputError("the name of a folder is empty (--corpus, --bert, --result or --out); give its path, or . for the current "
                         "folder.")
    return os.path.abspath(root)


def for_tensorflow(root):
    """The absolute path of a folder with checkpoints; InputError for one that TensorFlow cannot read them from.

    It takes the path of a checkpoint for a pattern of names, in which no character can be escaped.
    """
    path = absolute(root)
    if re.search(r"[*?\[]" if os.name == "nt" else r"[*?\[\\]", path):
        raise InputError(f"{path}: TensorFlow reads no checkpoint from a folder with *, ?, [ or \\ in its path; rename it, or "
                         "choose another one.")
    return path


def check_utf8(path):
    """Raise an InputError for a folder that TensorFlow neither reads from nor writes into, for want of a name in UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{path}: TensorFlow uses no folder whose path is not UTF-8; rename it, or choose another one.") from None


class BertFolder:
    """A pre-trained BERT, in the layout of Google's release, of another TensorFlow checkpoint, or of Hugging Face."""

    def __init__(self, root):
        self.root = for_tensorflow(root)
        check_utf8(self.root)
        self.vocab = os.path.join(self.root, "vocab.txt")
        self.google_config = os.path.join(self.root, "bert_config.json")
        self.google_checkpoint = os.path.join(self.root, "bert_model.ckpt")
        self.huggingface_config = os.path.join(self.root, "config.json")
        self.safetensors = os.path.join(self.root, "model.safetensors")
        self.pytorch = os.path.join(self.root, "pytorch_model.bin")
        self.tokenizer_config = os.path.join(self.root, "tokenizer_config.json")


class ResultFolder:
    """What a run leaves behind; holds no text of any note, so that it may be zipped and downloaded.

    task : name of the run's task, which upstream's folders are called after.
    """

    def __init__(self, root, task="i2b2"):
        self.root, self.task = for_tensorflow(root), task
        self.all_checkpoints = os.path.join(self.root, "checkpoints")
        self.checkpoints = os.path.join(self.all_checkpoints, task)
        self.best = os.path.join(self.checkpoints, "best_validation")
        self.vocab = os.path.join(self.checkpoints, "vocab.txt")
        self.bert_config = os.path.join(self.checkpoints, "bert_config.json")
        self.evaluation = os.path.join(self.checkpoints, "evaluation.npz")
        self.lock = os.path.join(self.root, ".training.lock")
        self.test_lock = os.path.join(self.root, ".test.lock")
        self.record_lock = os.path.join(self.root, ".record.lock")  # of run.json and seeds.json, while they are changed
        self.outcome = os.path.join(self.checkpoints, "outcome.json")
        self.all_curves = os.path.join(self.root, "tensorboard")
        self.tensorboard = os.path.join(self.all_curves, task)
        self.predictions = os.path.join(self.root, "predictions.tsv")
        self.scores_json = os.path.join(self.root, "scores.json")
        self.scores_txt = os.path.join(self.root, "scores.txt")
        self.run = os.path.join(self.root, "run.json")
        self.report = os.path.join(self.root, "report.html")
        self.figures = os.path.join(self.root, "figures")
        self.system_xml = os.path.join(self.root, "system_xml")
        self.seeds = os.path.join(self.root, "seeds.json")

    def of_run(self):
        """What a run writes at the top of the folder, the checkpoints first."""
        return [self.all_checkpoints, self.all_curves, self.predictions, self.scores_json, self.scores_txt, self.report,
                self.figures, self.system_xml, self.run]

    def of_seed(self, seed):
        """The folder of one of several runs that differ in the seed."""
        return ResultFolder(os.path.join(self.root, f"seed-{seed}"), self.task)
