// lmcache · SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// What a model's objects on a medium mean: written beside them once, compared before any of them is served.
///
/// Keys say neither element type nor chunk size nor layout nor hash, and lengths alone do not tell layouts apart.
package struct L2NamespaceManifest: Sendable, Equatable {
    /// Version of this form.
    package static let formatVersion = 1

    package let modelName: String
    /// ``KVModel/Namespace/layoutSignature``: chunk size, shapes, element types and windows.
    package let layoutSignature: String
    /// The chunk hash's name, such as `blake3`.
    package let hashAlgorithm: String
    /// What the hash chain starts from, where the algorithm has such a seed.
    package let hashSeed: String

    package init(modelName: String, layoutSignature: String, hashAlgorithm: String, hashSeed: String = "") {
        self.modelName = modelName
        self.layoutSignature = layoutSignature
        self.hashAlgorithm = hashAlgorithm
        self.hashSeed = hashSeed
    }

    /// The manifest as JSON; equal manifests give equal bytes.
    package var json: JSONValue {
        [
            "format": .integer(Self.formatVersion), "model_name": .string(self.modelName),
            "layout": .string(self.layoutSignature), "hash": .string(self.hashAlgorithm),
            "hash_seed": .string(self.hashSeed),
        ]
    }

    /// The manifest's file or object content.
    package var bytes: [UInt8] { Array((self.json.serialized(indent: 2) + "\n").utf8) }

    /// Reads what ``json`` makes.
    package init(json: JSONValue) throws(L2ConfigurationError) {
        var options = try L2Options(json, context: "manifest")
        _ = try options.integer("format", in: Self.formatVersion...Self.formatVersion)
        func required(_ name: String, _ options: inout L2Options) throws(L2ConfigurationError) -> String {
            guard let text = try options.string(name) else {
                throw L2ConfigurationError("manifest: '\(name)' is missing; accepted is a string")
            }
            return text
        }
        self.modelName = try required("model_name", &options)
        self.layoutSignature = try required("layout", &options)
        self.hashAlgorithm = try required("hash", &options)
        self.hashSeed = try required("hash_seed", &options)
        try options.finish()
    }

    /// The first field in which two manifests differ, or nil when objects of one serve the other.
    package func conflict(with other: L2NamespaceManifest) -> String? {
        if self.modelName != other.modelName { return "model_name" }
        if self.layoutSignature != other.layoutSignature { return "layout" }
        if self.hashAlgorithm != other.hashAlgorithm { return "hash" }
        return self.hashSeed == other.hashSeed ? nil : "hash_seed"
    }
}
