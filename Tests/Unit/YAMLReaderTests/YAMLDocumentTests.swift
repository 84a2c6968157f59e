// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing
import YAMLReader

@Suite struct YAMLDocumentTests {
    @Test(arguments: [
        ("", "null"),
        ("# only a remark\n", "null"),
        ("chunk_size: 256", #"{"chunk_size":256}"#),
        (
            "a: true\nb: No\nc: ~\nd: 5.0\ne: 1e3\nf: -0x1F",
            #"{"a":true,"b":false,"c":null,"d":5.0,"e":1000.0,"f":-31}"#
        ),
        (
            "a: 'true'\nb: \"12\"\nc: 007\nd: 1.2.3\ne: redis://h:1",
            #"{"a":"true","b":"12","c":"007","d":"1.2.3","e":"redis://h:1"}"#
        ),
        ("list:\n  - 1\n  - two\nflow: [a, {b: 1}]", #"{"list":[1,"two"],"flow":["a",{"b":1}]}"#),
        ("text: |\n  one\n  two\n", #"{"text":"one\ntwo\n"}"#),
        ("n: !!str 12", #"{"n":"12"}"#),
        (#"{"json": [1, 2.5, "xäy\n", {"deep": null}]}"#, #"{"json":[1,2.5,"xäy\n",{"deep":null}]}"#),
        ("n: 99999999999999999999", #"{"n":"99999999999999999999"}"#),
        ("n: 0x", #"{"n":"0x"}"#),
    ])
    func readsWhatAConfigurationFileHolds(_ text: String, _ json: String) throws {
        #expect(try YAMLDocument.read(text).serialized() == json)
    }

    @Test(arguments: [
        ("a: 1\nb: [1, 2", 2, "no YAML"),
        ("a: 1\na: 2", 2, "the key 'a' occurs twice"),
        ("a: &x 1\nb: *x", 2, "aliases"),
        ("a: !!python/object:os.system x", 1, "the tag"),
        ("a: 1\n---\nb: 2", 2, "a second document"),
        ("? [1]\n: 2", 1, "a key has to be"),
        ("\ta: 1", 1, "no YAML"),
        (String(repeating: "[", count: 500) + String(repeating: "]", count: 500), 1, "nested more than 64 deep"),
    ])
    func namesTheLineOfWhatItRefuses(_ text: String, _ line: Int, _ reason: String) throws {
        let error = #expect(throws: YAMLError.self) { try YAMLDocument.read(text) }
        #expect(error?.line == line)
        #expect(error?.reason.contains(reason) == true, "\(String(describing: error))")
    }

    @Test func survivesEveryCutAndEveryChangedByte() {
        let text = "a: [1, 'b', {c: \"d\\n\"}]\n# remark\ne:\n  - f: |\n      g\n  - ~\n"
        let bytes = Array(text.utf8)
        for length in 0...bytes.count { _ = try? YAMLDocument.read(String(decoding: bytes[..<length], as: UTF8.self)) }
        for position in bytes.indices {
            for byte: UInt8 in [0, 9, 10, 34, 38, 42, 58, 91, 123, 255] {
                var changed = bytes
                changed[position] = byte
                _ = try? YAMLDocument.read(String(decoding: changed, as: UTF8.self))
            }
        }
    }
}
