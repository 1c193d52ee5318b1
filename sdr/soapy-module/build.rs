//! Builds the C++ part of the driver, if it is asked for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "module")]
    module();
}

#[cfg(feature = "module")]
fn module() {
    for file in ["src/bridge.rs", "src/driver.cpp"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let found = pkg_config::Config::new().atleast_version("0.8").probe("SoapySDR");
    let soapy = match found {
        Ok(soapy) => soapy,
        Err(error) => {
            println!(
                "cargo::error=the feature `module` needs SoapySDR 0.8 with its headers and pkg-config: `apt-get install libsoapysdr-dev \
                 pkg-config`, or build without the feature"
            );
            println!("cargo::error={}", error.to_string().lines().next().unwrap_or_default());
            return;
        }
    };
    cxx_build::bridge("src/bridge.rs")
        .file("src/driver.cpp")
        .includes(soapy.include_paths)
        .std("c++17")
        // Nothing refers to the object that registers the driver when the library is loaded.
        .link_lib_modifier("+whole-archive")
        .compile("farlink-soapy-driver");
}
