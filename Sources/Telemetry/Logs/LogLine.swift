// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging

/// One log event, ready to be written.
struct LogLine {
    let time: LogTime
    let logger: String
    let level: Logger.Level
    let message: String
    /// Ordered by key.
    let metadata: [(String, String)]
    /// `Module/File.swift`, as `#fileID` gives it.
    let file: String
    let line: UInt

    private static let reset = "\u{1B}[0m"

    /// LMCache's line.
    ///
    /// Control characters are written as escapes, so that text from peers cannot forge a line.
    func text(colored: Bool) -> String {
        let levelName = LogLevelName.name(self.level)
        let head = "[\(self.time.text)] LMCache \(levelName):"
        let trailer = "(\(self.fileName):\(self.line):\(self.module))"
        var body = Self.printable(self.message)
        for (key, value) in self.metadata { body += " \(Self.printable(key))=\(Self.printable(value))" }
        guard colored else { return "\(head) \(body) \(trailer)\n" }
        return "\u{1B}[\(self.color)m\(head)\(Self.reset) \(body) \u{1B}[3m\(trailer)\(Self.reset)\n"
    }

    /// One JSON object.
    func json() -> String {
        var members: [(String, JSONValue)] = [
            ("time", .string(self.time.timestamp)), ("level", .string(LogLevelName.name(self.level))),
            ("logger", .string(self.logger)), ("message", .string(self.message)), ("file", .string(self.fileName)),
            ("line", .integer(Int(clamping: self.line))), ("module", .string(self.module)),
        ]
        if !self.metadata.isEmpty {
            members.append(("metadata", .object(self.metadata.map { ($0.0, .string($0.1)) })))
        }
        return JSONValue.object(members).serialized() + "\n"
    }

    private var color: String {
        switch self.level {
        case .trace, .debug: "1"
        case .info, .notice: "32;20"
        case .warning: "33;20"
        case .error: "31;20"
        case .critical: "31;1"
        }
    }

    private var fileName: String { self.file.split(separator: "/").last.map(String.init) ?? self.file }
    private var module: String { self.file.split(separator: "/").first.map(String.init) ?? self.file }

    static func printable(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
