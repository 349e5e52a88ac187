package remote

// Sizes and SHA-256 are those that TensorFlow Datasets publishes
// (tensorflow_datasets/url_checksums/{mnist,fashion_mnist,cifar10}.txt). The MD5 that the authors
// or torchvision publish for the same files are named beside them. No server could be reached from
// where this was written, so the numbers were compared with what others publish and not with the
// files: the readers are tested on files of the same form. A wrong number here would refuse a right
// file, and say so; it can't let a wrong one in.

var mnist = set{
	name: "MNIST", folder: "mnist", read: readPictures,
	instead: "datasets.MNIST has 10,000 of the digits and needs no network",
	classes: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
	files: []file{
		// MD5 f68b3c2dcbeaaa9fbdd348bbdeb94873
		{"train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", mnistMirrors},
		// MD5 d53e105ee54ea40749a09fcbcd1e9432
		{"train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", mnistMirrors},
		// MD5 9fb629c4189551a2d022fa330f9573f3
		{"t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", mnistMirrors},
		// MD5 ec29112dd5afa0611ce80d1b7f02629c
		{"t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", mnistMirrors},
	},
}

var mnistMirrors = []string{
	"https://storage.googleapis.com/cvdf-datasets/mnist",
	"https://ossci-datasets.s3.amazonaws.com/mnist",
	"http://yann.lecun.com/exdb/mnist",
}

var fashion = set{
	name: "Fashion-MNIST", folder: "fashion-mnist", read: readPictures,
	instead: "datasets.MNIST has 10,000 pictures of digits of the same form and needs no network",
	classes: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
	files: []file{
		// MD5 8d4fb7e6c68d591d4c3dfef9ec88bf0d
		{"train-images-idx3-ubyte.gz", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", fashionMirrors},
		// MD5 25c81989df183df01b3e8a0aad5dffbe
		{"train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", fashionMirrors},
		// MD5 bef4ecab320f06d8554ea6380940ec79
		{"t10k-images-idx3-ubyte.gz", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", fashionMirrors},
		// MD5 bb300cfdad3c16e7a12a480ee83cd310
		{"t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", fashionMirrors},
	},
}

var fashionMirrors = []string{
	"https://storage.googleapis.com/tensorflow/tf-keras-datasets",
	"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
	"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
}

var cifar10 = set{
	name: "CIFAR-10", folder: "cifar-10", read: readCIFAR10,
	instead: "datasets.China and datasets.Flower are color photographs and need no network",
	classes: []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
	files: []file{
		// MD5 c32a1d4ab5d03f1284b67883e8d87530
		{"cifar-10-binary.tar.gz", 170052171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", []string{
			"https://www.cs.toronto.edu/~kriz",
			"https://cave.cs.toronto.edu/kriz",
			"https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10",
		}},
	},
}
