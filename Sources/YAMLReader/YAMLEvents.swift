// lmcache · SPDX-License-Identifier: Apache-2.0

import CYAML

/// The parts of a document in order, from libyaml.
final class YAMLEvents {
    enum Event: Equatable {
        case streamEnd
        case documentStart
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
        case scalar(String, isPlain: Bool)
        /// The start of the stream, the end of the document.
        case other
    }

    /// Line of the last event, counted from 1.
    private(set) var line = 1
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>
    private let lineCount: Int

    init(_ text: String) throws(YAMLError) {
        self.lineCount = text.utf8.count { $0 == UInt8(ascii: "\n") } + 1
        self.parser = .allocate(capacity: 1)
        self.input = .allocate(capacity: text.utf8.count)
        _ = self.input.initialize(from: text.utf8)
        guard yaml_parser_initialize(self.parser) == 1 else {
            // Nothing to delete; deinit must not run on what was not initialised.
            self.parser.initialize(to: yaml_parser_t())
            throw YAMLError(line: 1, reason: "there is no memory for the reader")
        }
        yaml_parser_set_encoding(self.parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(self.parser, self.input.baseAddress, self.input.count)
    }

    deinit {
        yaml_parser_delete(self.parser)
        self.parser.deallocate()
        self.input.deallocate()
    }

    func next() throws(YAMLError) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(self.parser, &event) == 1 else { throw self.problem }
        defer { yaml_event_delete(&event) }
        self.line = Int(clamping: event.start_mark.line) + 1
        switch event.type {
        case YAML_STREAM_END_EVENT: return .streamEnd
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_SEQUENCE_START_EVENT:
            try self.check(tag: event.data.sequence_start.tag)
            return .sequenceStart
        case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            try self.check(tag: event.data.mapping_start.tag)
            return .mappingStart
        case YAML_MAPPING_END_EVENT: return .mappingEnd
        case YAML_SCALAR_EVENT: return try self.scalar(event)
        case YAML_ALIAS_EVENT: throw YAMLError(line: self.line, reason: "aliases ('*name') are not accepted")
        default: return .other
        }
    }

    private func scalar(_ event: yaml_event_t) throws(YAMLError) -> Event {
        let scalar = event.data.scalar
        let isText = try self.isText(tag: scalar.tag)
        let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
        let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE && !isText
        return .scalar(String(decoding: bytes, as: UTF8.self), isPlain: isPlain)
    }

    private func check(tag: UnsafeMutablePointer<UInt8>?) throws(YAMLError) {
        guard let tag else { return }
        throw YAMLError(line: self.line, reason: "the tag '\(String(cString: tag))' is not accepted")
    }

    /// Whether a scalar is marked as text; other marks are refused.
    private func isText(tag: UnsafeMutablePointer<UInt8>?) throws(YAMLError) -> Bool {
        guard let tag else { return false }
        if String(cString: tag) == "tag:yaml.org,2002:str" { return true }
        try self.check(tag: tag)
        return false
    }

    private var problem: YAMLError {
        let text = self.parser.pointee.problem.map { String(cString: $0) } ?? "there is no memory for the reader"
        // The end of the text counts as a line of its own.
        let line = min(Int(clamping: self.parser.pointee.problem_mark.line) + 1, self.lineCount)
        return YAMLError(line: line, reason: "no YAML: \(text)")
    }
}
