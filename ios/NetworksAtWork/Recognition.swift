import CoreGraphics
import Foundation
import PhotosUI
import SwiftUI

/// What the screen shows: a picture, what the network sees in it, and what went wrong.
@MainActor
final class Recognition: ObservableObject {
    enum Picture {
        case none
        case camera(Camera)
        case photo(CGImage)
    }

    @Published private(set) var picture = Picture.none
    @Published private(set) var guesses: [Guess] = []
    @Published private(set) var problem: Problem?
    @Published private var classifier: Classifier?
    @Published private var camera: Camera?

    var canClassify: Bool { classifier != nil }

    var canShowCamera: Bool {
        if case .camera = picture { return false }
        return camera != nil
    }

    /// Loads the network, opens the camera, and shows what it sees until the app ends.
    func run() async {
        guard classifier == nil else { return }
        do {
            let loaded = try await Classifier.load()
            classifier = loaded
            let opened = try await Camera.open(for: loaded)
            camera = opened
            if case .none = picture { showCamera() }
            for await event in opened.events { show(event) }
        } catch {
            if case .none = picture { fail(error) }
        }
    }

    func showCamera() {
        guard let camera else { return }
        picture = .camera(camera)
        guesses = []
        problem = nil
        camera.start()
    }

    func classify(_ item: PhotosPickerItem) async {
        guard let classifier else { return }
        do {
            let photo = try await classifier.classify(photo: Self.data(of: item))
            guard !Task.isCancelled else { return }
            camera?.stop()
            picture = .photo(photo.image)
            guesses = photo.guesses
            problem = nil
        } catch {
            guard !Task.isCancelled else { return }
            fail(error)
        }
    }

    private static func data(of item: PhotosPickerItem) async throws -> Data {
        if let data = try? await item.loadTransferable(type: Data.self) { return data }
        throw Problem(message: "This photo could not be loaded. Where it is in iCloud, that needs the network.")
    }

    private func show(_ event: Camera.Event) {
        guard case .camera = picture else { return }  // a last frame, after a photo was chosen
        switch event {
        case .guesses(let seen):
            guesses = seen
            problem = nil
        case .interrupted:
            guesses = []
            problem = Problem(message: "Another app uses the camera, or shares the screen. "
                + "It goes on here by itself.")
        case .stopped(let reason):
            fail(reason)
        }
    }

    private func fail(_ error: Error) {
        camera?.stop()
        picture = .none
        guesses = []
        problem = error as? Problem ?? Problem(message: error.localizedDescription)
    }
}
