// lmcache · SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// One recorded message or value of LMCache 0.5.6.
struct GoldenVector: Sendable, CustomTestStringConvertible {
    let name: String
    let kind: String
    /// One entry a frame; one for a vector that is no message.
    let frames: [[UInt8]]
    /// The recorded meaning, as JSON.
    let decoded: Data

    var testDescription: String { self.name }

    /// A text of the recorded meaning.
    func text(_ field: String) -> String? { self.object[field] as? String }

    /// A number of the recorded meaning.
    func number(_ field: String) -> Int? { self.object[field] as? Int }

    private var object: [String: Any] {
        (try? JSONSerialization.jsonObject(with: self.decoded)) as? [String: Any] ?? [:]
    }
}

/// The recorded vectors, read from beside this file.
enum Goldens {
    static let all: [GoldenVector] = Self.load()

    static func all(kind: String) -> [GoldenVector] { Self.all.filter { $0.kind == kind } }

    static func named(_ name: String) throws -> GoldenVector {
        try #require(Self.all.first { $0.name == name })
    }

    private static func load() -> [GoldenVector] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Goldens/wire-vectors.json")
        guard let data = try? Data(contentsOf: file),
            let root = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any],
            let vectors = root["vectors"] as? [[String: Any]]
        else { return [] }
        return vectors.map { vector in
            let hex = (vector["hex"] as? [String]) ?? (vector["hex"] as? String).map { [$0] } ?? []
            let meaning = try? JSONSerialization.data(
                withJSONObject: vector["decoded"] ?? "",
                options: .fragmentsAllowed
            )
            return GoldenVector(
                name: vector["name"] as? String ?? "",
                kind: vector["kind"] as? String ?? "",
                frames: hex.map(bytes(hex:)),
                decoded: meaning ?? Data()
            )
        }
    }
}

/// Reads hexadecimal digits; anything else ends the text.
func bytes(hex: String) -> [UInt8] {
    var result: [UInt8] = []
    var rest = Substring(hex)
    while rest.count >= 2, let byte = UInt8(rest.prefix(2), radix: 16) {
        result.append(byte)
        rest = rest.dropFirst(2)
    }
    return result
}
