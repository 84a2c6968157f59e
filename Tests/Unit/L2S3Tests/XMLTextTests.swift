// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import L2S3

@Suite struct XMLTextTests {
    private static func parse(_ text: String) -> XMLText { XMLText(Array(text.utf8)) }

    @Test func elementsAreFoundByTheirWholeName() {
        let text = Self.parse(
            "<?xml version='1.0'?><R xmlns=\"x\"><KeyCount>2</KeyCount><C><Key>a</Key></C><C><Key a='b'>&lt;b&amp;&#x41;&#66;</Key></C><Key/></R>"
        )
        #expect(text.first("R")?.first("KeyCount")?.text == "2")
        #expect(text.all("C").map { $0.first("Key")?.text } == ["a", "<b&AB"])
        #expect(text.first("Count") == nil)
        #expect(text.all("Key").count == 2)
    }

    @Test func whatIsBrokenHasNoElementsOrEndsEarly() {
        for text in ["", "<", "<Key", "<Key>", "<Key>a", "<Key>a</Ke", "<Key a='", "</Key>", "<Key/>"] {
            #expect(Self.parse(text).first("Key") == nil)
            #expect(Self.parse(text).all("Key").isEmpty)
        }
        #expect(
            Self.parse("<K>&;&#x;&#xFFFFFFFF;&#xD800;&unknown;&</K>").first("K")?.text
                == "&;&#x;&#xFFFFFFFF;&#xD800;&unknown;&")
    }
}
