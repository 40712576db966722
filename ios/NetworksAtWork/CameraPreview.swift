import AVFoundation
import SwiftUI
import UIKit

/// What the camera sees, all of it: the network gets the whole frame, so nothing is cut off here.
struct CameraPreview: UIViewRepresentable {
    let camera: Camera

    func makeUIView(context: Context) -> CameraPreviewView {
        CameraPreviewView(camera: camera)
    }

    func updateUIView(_ view: CameraPreviewView, context: Context) {}
}

final class CameraPreviewView: UIView {
    private let camera: Camera
    private let preview: AVCaptureVideoPreviewLayer
    private var geometry: NSKeyValueObservation?

    init(camera: Camera) {
        self.camera = camera
        preview = AVCaptureVideoPreviewLayer(session: camera.session)
        super.init(frame: .zero)
        preview.videoGravity = .resizeAspect
        layer.addSublayer(preview)
    }

    @available(*, unavailable, message: "There is no storyboard here.")
    required init?(coder: NSCoder) {
        return nil
    }

    override func didMoveToWindow() {
        super.didMoveToWindow()
        // From one landscape to the other the size stays, and nobody would ask for a new layout.
        geometry = window?.windowScene?.observe(\.effectiveGeometry) { [weak self] _, _ in
            DispatchQueue.main.async { self?.setNeedsLayout() }
        }
        setNeedsLayout()
    }

    override func layoutSubviews() {
        super.layoutSubviews()
        preview.frame = bounds
        guard let held = window?.windowScene?.effectiveGeometry.interfaceOrientation,
              let orientation = Self.videoOrientation(held)
        else { return }
        if let connection = preview.connection, connection.isVideoOrientationSupported {
            connection.videoOrientation = orientation
        }
        camera.turn(to: orientation)
    }

    private static func videoOrientation(_ held: UIInterfaceOrientation) -> AVCaptureVideoOrientation? {
        switch held {
        case .portrait: return .portrait
        case .portraitUpsideDown: return .portraitUpsideDown
        case .landscapeLeft: return .landscapeLeft
        case .landscapeRight: return .landscapeRight
        case .unknown: return nil
        @unknown default: return nil
        }
    }
}
