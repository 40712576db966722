import CoreGraphics
import CoreML
import Foundation
import ImageIO
import Vision

/// A class, and how sure the network is of it, from 0 to 1.
struct Guess: Sendable {
    let name: String
    let probability: Double
}

/// A photo, turned upright, and what the network sees in it.
struct ClassifiedPhoto: @unchecked Sendable {  // a CGImage never changes
    let image: CGImage
    let guesses: [Guess]
}

/// What went wrong, in words for the person who holds the phone.
struct Problem: LocalizedError, Sendable {
    let message: String
    var isSolvedInSettings = false

    var errorDescription: String? { message }
}

/// Runs the network through Vision, one picture at a time.
///
/// Core ML asks that one model be used by one queue at a time: so camera frames are delivered on
/// `queue`, and photos wait there too. Nothing of this happens on the main thread.
final class Classifier: @unchecked Sendable {
    static let shown = 3

    let queue = DispatchQueue(label: "classifier", qos: .userInitiated)
    private let request: VNCoreMLRequest

    private init(request: VNCoreMLRequest) {
        self.request = request
    }

    /// Loads the network that was built into the app.
    static func load() async throws -> Classifier {
        let name = ModelContract.resource
        guard let url = Bundle.main.url(forResource: name, withExtension: "mlmodelc") else {
            throw Problem(message: "This app was built without \(name).mlpackage. Put it into the folder ios, "
                + "as README.md there says, and build the app again.")
        }
        let configuration = MLModelConfiguration()
        #if targetEnvironment(simulator)
        configuration.computeUnits = .cpuOnly  // the simulator has no Neural Engine
        #endif
        let model: MLModel
        do {
            model = try await MLModel.load(contentsOf: url, configuration: configuration)
        } catch {
            throw Problem(message: "\(name).mlpackage could not be loaded. Convert it again with notebook 08, "
                + "and build the app again. (\(error.localizedDescription))")
        }
        try check(model.modelDescription)
        let network = try VNCoreMLModel(for: model)
        network.inputImageFeatureName = ModelContract.input
        let request = VNCoreMLRequest(model: network)
        // The whole picture is squeezed into a square, as the course's services squeeze it. Vision
        // by itself would crop to the centre, and so answer differently from them.
        request.imageCropAndScaleOption = .scaleFill
        return Classifier(request: request)
    }

    private static func check(_ model: MLModelDescription) throws {
        let image = model.inputDescriptionsByName[ModelContract.input]?.imageConstraint
        guard image?.pixelsWide == ModelContract.side, image?.pixelsHigh == ModelContract.side,
              model.predictedFeatureName == ModelContract.label,
              model.predictedProbabilitiesName == ModelContract.probabilities
        else {
            throw Problem(message: "\(ModelContract.resource).mlpackage is another model than this app expects. "
                + "Use the one that notebook 08 writes, or change ModelContract.swift.")
        }
    }

    /// The likeliest classes of a camera frame. To be called on `queue`.
    func guesses(in frame: CVPixelBuffer) throws -> [Guess] {
        try guesses(of: VNImageRequestHandler(cvPixelBuffer: frame, orientation: .up, options: [:]))
    }

    /// Decodes a photo's file and classifies it.
    func classify(photo data: Data) async throws -> ClassifiedPhoto {
        try await withCheckedThrowingContinuation { continuation in
            queue.async {
                continuation.resume(with: Result { try self.classified(data) })
            }
        }
    }

    private func classified(_ data: Data) throws -> ClassifiedPhoto {
        let image = try Self.upright(data)
        let handler = VNImageRequestHandler(cgImage: image, orientation: .up, options: [:])
        return ClassifiedPhoto(image: image, guesses: try guesses(of: handler))
    }

    private func guesses(of handler: VNImageRequestHandler) throws -> [Guess] {
        dispatchPrecondition(condition: .onQueue(queue))
        do {
            try handler.perform([request])
        } catch {
            throw Problem(message: "The network could not look at this picture. (\(error.localizedDescription))")
        }
        guard let classes = request.results as? [VNClassificationObservation] else {
            throw Problem(message: "The network answered, but not with classes: it is no classifier.")
        }
        return classes.sorted { $0.confidence > $1.confidence }.prefix(Self.shown).map {
            Guess(name: $0.identifier.replacingOccurrences(of: "_", with: " "), probability: Double($0.confidence))
        }
    }

    /// Decodes a photo small, whatever its size, and turned as its EXIF block asks.
    private static func upright(_ data: Data) throws -> CGImage {
        let options: [CFString: Any] = [
            kCGImageSourceCreateThumbnailFromImageAlways: true,
            kCGImageSourceCreateThumbnailWithTransform: true,
            kCGImageSourceThumbnailMaxPixelSize: 1024,
        ]
        guard let source = CGImageSourceCreateWithData(data as CFData, nil),
              let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
        else {
            throw Problem(message: "This photo cannot be read. Choose another one.")
        }
        return image
    }
}
