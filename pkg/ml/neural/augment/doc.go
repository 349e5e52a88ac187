// Package augment changes pictures, [batch, height, width, channels], as graph functions: moves and
// crops (Move, Crop, Flip, Erase) and colours (Brightness, Contrast, Saturation, Hue).
//
// By how much comes in as a node with a number for each picture, and 0 changes nothing, to the bit.
// What is random is drawn outside, so that a training is the same on every backend:
//
//	// turn, size, light and mirror are uniform on [0, 1), [b] each
//	x = augment.Move{
//		Angle:    augment.Centered(turn, 0.2), // at most 0.2 radians either way
//		LogScale: augment.Centered(size, 0.1),
//	}.Apply(x)
//	x = augment.Brightness(x, augment.Centered(light, 0.3))
//	x = augment.Sometimes(x, augment.Flip(x), mirror, 0.5)
//
// Gradients go through all of them to the pictures, as a discriminator with augmented inputs needs
// (Zhao, Liu, Lin, Zhu & Han, 2020). Nothing is cut off to the range of the pictures.
package augment
