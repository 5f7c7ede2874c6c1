"""`export`: writes the network as graphs for ONNX Runtime into the model folder."""

from training.export.export import convert, export, graph_files, shortlist_files

__all__ = ["convert", "export", "graph_files", "shortlist_files"]
