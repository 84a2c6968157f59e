// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage

extension FileMedium {
    package func bind(to manifest: L2NamespaceManifest) -> L2Binding {
        do {
            switch try self.bind(manifest) as FileBinding {
            case .written, .matches: return .agrees
            // A model whose name has no file name has no objects either.
            case .conflicts, .unspellable: return .conflicts
            }
        } catch {
            return .failed(.system(call: error.call, code: error.code))
        }
    }
}
