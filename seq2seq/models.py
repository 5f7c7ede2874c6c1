"""The networks of vectors, where the Keras add-on `seq2seq` had them."""

from model.networks.vectors import AttentionSeq2Seq, Seq2Seq, SimpleSeq2Seq

__all__ = ["AttentionSeq2Seq", "Seq2Seq", "SimpleSeq2Seq"]
