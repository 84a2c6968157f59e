// lmcache · SPDX-License-Identifier: Apache-2.0

import InProcessConfiguration
import Telemetry
import YAMLReader

/// Resolves arbitrary bytes as a configuration document; stops the process when a refusal is not one line, or when what was
/// resolved does not resolve to itself.
public func fuzzConfiguration(_ bytes: [UInt8]) {
    // The library refuses other bytes before it looks at them.
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    do {
        let configuration = try InProcessConfiguration(document: text)
        guard case .object(let members) = configuration.json else { preconditionFailure("the result is no object") }
        let keys = JSONValue.object(members.filter { $0.0 != "notices" })
        // YAML folds some line ends inside quotes and limits keys to 1,024 characters, which JSON does not.
        let written = keys.serialized()
        guard written.utf8.allSatisfy({ 0x20..<0x7F ~= $0 }), text.utf8.count < 1000 else { return }
        let again = try? InProcessConfiguration(document: written)
        guard let again, case .object(let repeated) = again.json else { preconditionFailure("a result is refused") }
        precondition(JSONValue.object(repeated.filter { $0.0 != "notices" }) == keys, "a result changed on its way")
    } catch {
        precondition(!error.description.isEmpty, "a refusal without words")
    }
}
