"""`export`: writes the network as graphs for ONNX Runtime into the model folder."""
