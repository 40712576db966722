/// What this app and the converted network have agreed on.
///
/// The names are those that the course's conversion (notebook 08) writes into the package; a test
/// of the course compares them with a package freshly converted.
enum ModelContract {
    /// `MobileNet.mlpackage`, which Xcode compiles to `MobileNet.mlmodelc` inside the app.
    static let resource = "MobileNet"
    /// The photo: red, green and blue from 0 to 255. Scaling to -1…1 is inside the network.
    static let input = "image"
    /// Width and height of the photo, in pixels.
    static let side = 224
    /// The likeliest class.
    static let label = "classLabel"
    /// The probability of every class.
    static let probabilities = "classLabel_probs"
}
