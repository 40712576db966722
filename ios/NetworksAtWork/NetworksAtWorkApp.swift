import SwiftUI

@main
struct NetworksAtWorkApp: App {
    var body: some Scene {
        WindowGroup {
            ContentView()
        }
    }
}
