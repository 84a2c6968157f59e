// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Which models' manifests on a medium agreed, and which did not. Any thread.
///
/// Lock: one.
package final class BoundModels: Sendable {
    private let state = Mutex(State())

    private struct State {
        var agreeing: Set<String> = []
        var foreign: Set<String> = []
    }

    package init() {}

    /// Whether none of the model's objects may be served or stored.
    package func isForeign(_ modelName: String) -> Bool { self.state.withLock { $0.foreign.contains(modelName) } }

    /// Notes what the medium's manifest said.
    package func note(_ modelName: String, agrees: Bool) {
        self.state.withLock { state in
            if agrees {
                state.agreeing.insert(modelName)
                state.foreign.remove(modelName)
            } else if !state.agreeing.contains(modelName) {
                // With two layouts of one model in this process, whoever asks for the wrong one must not ask.
                state.foreign.insert(modelName)
            }
        }
    }
}
