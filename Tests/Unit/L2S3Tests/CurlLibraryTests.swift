// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import L2S3

@Suite struct CurlLibraryTests {
    /// The start of curl's `struct curl_easyoption`.
    private struct KnownOption {
        let name: UnsafePointer<CChar>?
        let number: Int32
    }

    @Test func everyOptionHasTheNumberThatTheLibraryGivesIt() throws {
        let library = try CurlLibrary.shared.get()
        guard let find = library.optionByName else { return }
        for option in CurlLibrary.Option.allCases {
            let found = option.name.withCString { find($0) }
            let known = try #require(found, "\(option.name)").load(as: KnownOption.self)
            #expect(known.number == option.rawValue, "\(option.name)")
        }
    }
}
