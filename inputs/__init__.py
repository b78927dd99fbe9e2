"""From documents to batches: labels, mentions, sentences, the views of a note, features, batches; and the sample corpus.

May import `network` (the files of a BERT), `settings` and `support`, and the front's `data_process_i2b2` and `tokenization`.
"""
