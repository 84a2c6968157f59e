// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

extension AdminRequest {
    /// The body as JSON; nil when there is none.
    func jsonBody() throws(JSONParser.Failure) -> JSONValue? {
        self.body.isEmpty ? nil : try JSONParser.parse(self.body)
    }

    /// Hands the body to `read` as a schema reader, and its result to `answer` when everything fits; else answers 422.
    ///
    /// A missing body is a violation when `isRequired`, else an empty object.
    func withBody<Fields>(
        isRequired: Bool,
        read: (inout SchemaReader) -> Fields,
        answer: (Fields) async -> AdminResponse
    ) async -> AdminResponse {
        let body: JSONValue
        do {
            let absent: JSONValue? = isRequired ? nil : .object([])
            guard let given = try self.jsonBody() ?? absent else {
                let missing = SchemaViolation(
                    type: "missing",
                    location: ["body"],
                    message: "Field required",
                    input: .null
                )
                return .violations([missing])
            }
            body = given
        } catch {
            return .violations([Self.violation(error)])
        }
        var reader = SchemaReader(body, location: ["body"])
        let fields = read(&reader)
        return reader.violations.isEmpty ? await answer(fields) : .violations(reader.violations)
    }

    private static func violation(_ failure: JSONParser.Failure) -> SchemaViolation {
        SchemaViolation(
            type: "json_invalid",
            location: ["body", .integer(failure.position)],
            message: "JSON decode error",
            input: .object([]),
            context: ["error": .string(failure.message)]
        )
    }
}
