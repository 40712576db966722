import AVFoundation

/// The camera on the back of the device; its frames go to the classifier.
///
/// Every property is either constant, or used on the one queue that its comment names.
final class Camera: NSObject, @unchecked Sendable {
    enum Event: Sendable {
        case guesses([Guess])
        case interrupted
        case stopped(Problem)
    }

    let session = AVCaptureSession()
    /// What the network sees. Only the newest event waits, so a busy screen is never behind.
    let events: AsyncStream<Event>

    private static let secondsBetweenFrames = 0.25  // faster than anyone reads
    private let report: AsyncStream<Event>.Continuation
    private let classifier: Classifier
    private let output = AVCaptureVideoDataOutput()
    private let control = DispatchQueue(label: "camera")  // starting blocks for a while
    private var isWanted = false  // on control
    private var nextFrame = 0.0  // seconds on the camera's clock; on classifier.queue
    private var observations: [NSKeyValueObservation] = []  // set once, by open

    private init(classifier: Classifier) {
        self.classifier = classifier
        let (events, report) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(1))
        self.events = events
        self.report = report
        super.init()
    }

    /// Asks for permission where nobody was asked yet, and prepares the camera.
    static func open(for classifier: Classifier) async throws -> Camera {
        guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .back) else {
            throw Problem(message: "There is no camera here, as in the simulator. Choose a photo instead.")
        }
        try await askForPermission()
        let camera = Camera(classifier: classifier)
        try camera.configure(device)
        camera.watch()
        return camera
    }

    private static func askForPermission() async throws {
        let refused = Problem(
            message: "This app may not use the camera. Allow it in Settings, or choose a photo.",
            isSolvedInSettings: true)
        switch AVCaptureDevice.authorizationStatus(for: .video) {
        case .authorized:
            return
        case .notDetermined:
            guard await AVCaptureDevice.requestAccess(for: .video) else { throw refused }
        case .restricted:
            throw Problem(message: "The camera is blocked on this device, by Screen Time or by who manages it. "
                + "Choose a photo instead.")
        case .denied:
            throw refused
        @unknown default:
            throw refused
        }
    }

    private func configure(_ device: AVCaptureDevice) throws {
        let problem = Problem(message: "The camera cannot be used. Choose a photo instead.")
        session.beginConfiguration()
        defer { session.commitConfiguration() }
        guard let input = try? AVCaptureDeviceInput(device: device), session.canAddInput(input) else {
            throw problem
        }
        session.addInput(input)
        // 4:3, the shape of photos, and enough for a network that sees 224 by 224 pixels.
        guard session.canSetSessionPreset(.vga640x480) else { throw problem }
        session.sessionPreset = .vga640x480
        // Frames come on the queue that classifies: while it is busy, they are dropped.
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: classifier.queue)
        guard session.canAddOutput(output) else { throw problem }
        session.addOutput(output)
    }

    private func watch() {
        observations = [
            session.observe(\.isInterrupted) { [weak self] session, _ in
                if session.isInterrupted { self?.report.yield(.interrupted) }
            },
            session.observe(\.isRunning) { [weak self] _, _ in self?.reportIfStopped() },
        ]
    }

    private func reportIfStopped() {
        control.async {
            guard self.isWanted, !self.session.isRunning, !self.session.isInterrupted else { return }
            self.report.yield(.stopped(Problem(message: "The camera has stopped.")))
        }
    }

    func start() {
        control.async {
            self.isWanted = true
            self.session.startRunning()
            self.reportIfStopped()
        }
    }

    func stop() {
        control.async {
            self.isWanted = false
            self.session.stopRunning()
        }
    }

    /// Turns the frames upright for someone who holds the device so.
    func turn(to orientation: AVCaptureVideoOrientation) {
        control.async {
            guard let connection = self.output.connection(with: .video),
                  connection.isVideoOrientationSupported, connection.videoOrientation != orientation
            else { return }
            connection.videoOrientation = orientation
        }
    }
}

extension Camera: AVCaptureVideoDataOutputSampleBufferDelegate {
    func captureOutput(
        _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer, from connection: AVCaptureConnection
    ) {
        let now = CMTimeGetSeconds(CMSampleBufferGetPresentationTimeStamp(sampleBuffer))
        guard now >= nextFrame, let frame = CMSampleBufferGetImageBuffer(sampleBuffer) else { return }
        nextFrame = now + Self.secondsBetweenFrames
        do {
            report.yield(.guesses(try classifier.guesses(in: frame)))
        } catch {
            report.yield(.stopped(Problem(message: error.localizedDescription)))
        }
    }
}
