// lmcache · SPDX-License-Identifier: Apache-2.0

import L2FileSystem
import L2Storage
import Telemetry
import Testing

@Suite struct FileSystemConfigurationTests {
    private func parse(_ value: JSONValue) throws -> FileSystemConfiguration {
        try FileSystemConfiguration(L2AdapterConfiguration(value, types: FileSystemAdapter.types))
    }

    @Test func givesTheOriginalsDefaults() throws {
        let configuration = try self.parse(["type": "fs_native", "base_path": "/x"])
        #expect(configuration == FileSystemConfiguration(kind: .native, basePath: "/x"))
        #expect(configuration.workers == 4)
        #expect(configuration.capacityBytes == nil)
    }

    @Test func readsEveryKey() throws {
        let configuration = try self.parse([
            "type": "fs", "base_path": "/x", "relative_tmp_dir": "./a//b/", "read_ahead_size": 100, "use_odirect": true,
            "num_workers": 7, "max_capacity_gb": 1.5, "fsync": true, "shared": true,
        ])
        #expect(configuration.temporaryDirectory == "a/b")
        #expect(configuration.readAheadBytes == 100)
        #expect(configuration.usesDirectIO)
        #expect(configuration.workers == 7)
        #expect(configuration.capacityBytes == 1_610_612_736)
        #expect(configuration.synchronizes)
    }

    private static let mistakes: [(JSONValue, String)] = [
        (["type": "fs"], "'base_path' is missing"),
        (["type": "fs", "base_path": ""], "'base_path' is missing"),
        (["type": "fs", "base_path": "/x", "base_pth": "/y"], "did you mean 'base_path'?"),
        (["type": "fs", "base_path": "/x", "use-odirect": true], "did you mean 'use_odirect'?"),
        (["type": "fs", "base_path": "/x", "num_workers": 0], "a whole number from 1 to 1024"),
        (["type": "fs", "base_path": "/x", "relative_tmp_dir": "../y"], "below base_path"),
        (["type": "fs", "base_path": "/x", "relative_tmp_dir": "/y"], "below base_path"),
        (["type": "fs", "base_path": "/x", "read_ahead_size": "1"], "a whole number"),
    ]

    @Test(arguments: mistakes)
    func saysWhatIsWrong(_ value: JSONValue, _ words: String) {
        let error = #expect(throws: L2ConfigurationError.self) { _ = try self.parse(value) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func anEmptyTemporaryDirectoryIsNone() throws {
        for name in ["", ".", "././"] {
            let value: JSONValue = ["type": "fs", "base_path": "/x", "relative_tmp_dir": .string(name)]
            #expect(try self.parse(value).temporaryDirectory == nil)
        }
    }
}
