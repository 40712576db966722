import PhotosUI
import SwiftUI
import UIKit

struct ContentView: View {
    @StateObject private var recognition = Recognition()
    @State private var isChoosing = false
    @State private var chosen: PhotosPickerItem?
    @Environment(\.verticalSizeClass) private var verticalSizeClass

    var body: some View {
        NavigationStack {
            layout {
                picture
                    .frame(maxWidth: .infinity, maxHeight: .infinity)
                ViewThatFits(in: .vertical) {  // large type takes more room than there is
                    answer
                    ScrollView { answer }
                }
            }
            .padding()
            .navigationTitle("Networks at Work")
            .navigationBarTitleDisplayMode(.inline)
        }
        .task { await recognition.run() }
        .photosPicker(isPresented: $isChoosing, selection: $chosen, matching: .images)
        .task(id: chosen) {
            guard let photo = chosen else { return }
            await recognition.classify(photo)
            if !Task.isCancelled { chosen = nil }  // so that the same photo can be chosen again
        }
        .onChange(of: recognition.problem?.message) { message in
            if let message { UIAccessibility.post(notification: .announcement, argument: message) }
        }
    }

    private var layout: AnyLayout {
        verticalSizeClass == .compact
            ? AnyLayout(HStackLayout(spacing: 16))
            : AnyLayout(VStackLayout(spacing: 16))
    }

    @ViewBuilder private var picture: some View {
        switch recognition.picture {
        case .none:
            Image(systemName: "camera")
                .font(.largeTitle)
                .foregroundStyle(.secondary)
                .accessibilityHidden(true)
        case .camera(let camera):
            CameraPreview(camera: camera)
                .accessibilityElement()
                .accessibilityLabel("What the camera sees")
                .accessibilityAddTraits(.isImage)
        case .photo(let photo):
            Image(photo, scale: 1, label: Text("The photo you chose"))
                .resizable()
                .scaledToFit()
        }
    }

    private var answer: some View {
        VStack(alignment: .leading, spacing: 12) {
            if let problem = recognition.problem {
                ProblemView(problem: problem)
            }
            // By rank, not by name: so VoiceOver stays on the first row while its class changes.
            ForEach(Array(recognition.guesses.enumerated()), id: \.offset) { _, guess in
                GuessRow(guess: guess)
            }
            Button {
                isChoosing = true
            } label: {
                Label("Choose a photo", systemImage: "photo.on.rectangle")
            }
            .disabled(!recognition.canClassify)
            if recognition.canShowCamera {
                Button {
                    chosen = nil
                    recognition.showCamera()
                } label: {
                    Label("Use the camera", systemImage: "camera")
                }
            }
        }
        .buttonStyle(.bordered)
        .frame(maxWidth: .infinity, alignment: .leading)
    }
}

private struct GuessRow: View {
    let guess: Guess

    private var percent: String {
        guess.probability.formatted(.percent.precision(.fractionLength(0)))
    }

    var body: some View {
        VStack(alignment: .leading, spacing: 4) {
            HStack(alignment: .firstTextBaseline) {
                Text(guess.name)
                Spacer()
                Text(percent).monospacedDigit()
            }
            .font(.headline)
            ProgressView(value: min(max(guess.probability, 0), 1))
        }
        .accessibilityElement(children: .ignore)
        .accessibilityLabel(guess.name)
        .accessibilityValue(percent)
        .accessibilityAddTraits(.updatesFrequently)
    }
}

private struct ProblemView: View {
    let problem: Problem

    var body: some View {
        Label(problem.message, systemImage: "exclamationmark.triangle")
        if problem.isSolvedInSettings, let settings = URL(string: UIApplication.openSettingsURLString) {
            Link("Open Settings", destination: settings)
        }
    }
}
