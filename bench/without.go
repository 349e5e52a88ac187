//go:build unix

package main

// withoutRow ends RESULTS.md. A test holds that every method stands in a row or here.
const withoutRow = `
## Without a row, and why

- cluster.Optimal, cluster.Optimal1D, cluster.Diana: no peer in Python that is kept up; their tests hold them to enumeration and to R.
- cluster.BisectingKMeans: builds the whole tree, where scikit-learn's stops at K clusters.
- neighbors.Within: the same search as neighbors.KNN, which has a row.
- mixture.SoftKMeans, mixture.Bernoulli, mixture.LinearExperts, mixture.LogisticExperts: no peer in Python that is kept up.
- decomposition.PowerIteration, decomposition.Sanger: how a single direction is found, shown in a notebook; decomposition.ParallelAnalysis: fifty fits of decomposition.PCA, which has a row.
- decomposition.DPCALambda: fits of decomposition.DPCA, which has a row, on parts of the trials.
- decomposition.SCA: on no package index; its authors' program, of which its tests keep the formulas' numbers, runs on torch.
- statespace.GPFA, statespace.GPFADimension: elephant's takes spike trains in an object of its own and steps that are not comparable; tests hold inference and EM to its core.
- statespace.NLDS, statespace.PLDS: no peer in Python that learns the same is kept up.
- autoencoder.NonlinearPCA: a small network, whose step the rows of MADE and the VAE time.
- flow.Flow, flow.RealNVP, flow.NeuralSpline, flow.MAF, flow.IAF, flow.MultiScale: small dense networks, whose step the rows of MADE and the VAE time.
- decomposition.Infomax: finds the minima of decomposition.Picard, which has a row, in many more steps; decomposition.TopographicICA: no peer in Python that is kept up.
- sparse.KSVD: no peer in Python that is kept up; a test holds its error to that of sparse.OnlineDictionary's peer. sparse.Threshold: one matrix product.
- sparse.NNKMeans: no package in Python has it; a test holds its weights to SciPy's non-negative least squares, and its step with one neighbor to that of spherical k-means.
- sparse.MatchingPursuit, sparse.ISTA, sparse.FISTA: no peer in Python that is kept up; the last two find the minimum of sparse.Lasso, which has a row.
- decomposition.SeqNMF: no peer in Python that is kept up; its tests hold it to the loss as it is written down, and to NMF.
- topic.Online: the steps of topic.Variational on a batch at a time; topic.Vectorizer: counts words of texts, which takes as long as to read them.
- manifold.SNE: of historical interest; its successor manifold.TSNE has a row.
- coding.NGram, coding.Pictures: models of a kind that no library in Python has; the coder that they drive has a row.
- autoregressive.Table, autoregressive.Fisher: a table of counts, and a score of a trained model's.
- text.WaveNet, pictures.PixelCNNPP, pictures.PixelSNAIL, pictures.SuperResolution, pictures.Hierarchy, pictures.ParallelMultiscale:
  made of the layers that the rows of MADE, PixelCNN and CharRNN time; there is no reference of the same size that trains on a processor without a GPU.
`
